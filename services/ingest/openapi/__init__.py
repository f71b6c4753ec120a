"""The description of ingest's HTTP interface, as OpenAPI and as a page."""

from services.ingest.openapi.document import document
from services.ingest.openapi.page import page

__all__ = ["document", "page"]
