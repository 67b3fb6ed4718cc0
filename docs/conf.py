"""Sphinx builds the documentation with `nox -s docs`."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import paypro_async
import paypro_async.bulk

sys.path.insert(0, str(Path(__file__).with_name("_extensions")))

project = "paypro-async"
author = "the paypro-async authors"
project_copyright = author
release = version = installed_version("paypro-async")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "code_tables",
    "shown_names",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["reading.css", "reference.css"]
html_js_files = [("reading.js", {"defer": "defer"})]
html_show_search_summary = False  # it fetches pages, which browsers refuse where they were opened from the disk
html_show_sourcelink = False
html_copy_source = False
html_title = f"{project} {release}"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

add_module_names = False
autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_mock_imports = ["dbos", "procrastinate"]  # their names lead nowhere
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False

# A command over several lines, and what it prints, are no language; the page shows them all the same.
suppress_warnings = ["misc.highlighting_failure"]

nitpicky = True
nitpick_ignore_regex = [
    # Other projects' names lead nowhere: the build needs no network, so it has no inventories of them.
    (r"py:.*", r"(?!paypro_async\b).*"),
    # What a batch and a client are made of is no business of who uses them.
    (r"py:class", r"paypro_async\.engine\.(payout\.Engine|intake\.CheckedPayout)"),
    (r"py:class", r"paypro_async\.(batch\.options\.BatchOptions|batch\.source\.DataFrame)"),
    (r"py:class", r"paypro_async\.report\.row_store\.RowStore"),
    (r"py:class", r"paypro_async\.tracking\.(waiting\.Waiting|client\.TrackingClient)"),
    # A type that stands for whatever the caller gives.
    (r"py:class", r"paypro_async\.integrations\.portal\.T"),
    # Private names may show in a signature, but have no page.
    (r"py:.*", r"paypro_async\.(.*\.)?_.*"),
]


def _public_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """Signatures name the module that defines a class; its page shows it under the name that users import."""
    name = node.get("reftarget", "").rpartition(".")[2]
    name = "PayProClient" if name == "BatchClient" else name  # the part of it that pays batches
    homes = [home for home in (paypro_async, paypro_async.bulk) if name in home.__all__]
    if node.get("refdomain") != "py" or not homes:
        return None
    page, target = node.get("refdoc", ""), f"{homes[0].__name__}.{name}"
    return env.domains.python_domain.resolve_xref(env, page, app.builder, "obj", target, node, content)


def setup(app: Sphinx) -> None:
    """Sphinx calls this once."""
    app.connect("missing-reference", _public_name)
