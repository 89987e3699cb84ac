"""The painting page: a canvas in the browser, and a small server on loopback that translates what is drawn."""
