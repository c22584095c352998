"""How a document is declared, read with file, line and field, and described as JSON Schema. It knows no product."""
