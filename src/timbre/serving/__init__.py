"""The server: uploads in, predictions out, over HTTP, on LitServe with batching."""
