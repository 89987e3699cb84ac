"""The gallery of a run: one offline page that shows how it trained, and what it makes now, best and worst."""
