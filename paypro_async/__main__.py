"""``python -m paypro_async`` is ``paypro``."""

from paypro_async.cli import main

if __name__ == "__main__":
    main()
