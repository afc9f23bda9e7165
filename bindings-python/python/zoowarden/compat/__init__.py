"""Other clients' interfaces over this client."""
