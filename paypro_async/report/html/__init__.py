"""The report of a batch or a file as one page of HTML that needs nothing beside itself."""

from paypro_async.report.html.about import About
from paypro_async.report.html.page import HtmlReport, report_html, write_report

__all__ = ["About", "HtmlReport", "report_html", "write_report"]
