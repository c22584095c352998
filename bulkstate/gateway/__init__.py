"""The API, called: bytes, credentials, HTTP. It knows nobody who calls it."""
