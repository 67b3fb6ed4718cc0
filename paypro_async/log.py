"""The package's one logger."""

import logging

__all__ = ["logger"]

logger: logging.Logger = logging.getLogger("paypro_async")
# A library is silent until the application says where its log goes.
logger.addHandler(logging.NullHandler())
