"""The site of docs/: what MkDocs needs beside mkdocs.yml."""
