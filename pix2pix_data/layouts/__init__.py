"""The layouts that paired pictures lie in elsewhere, in folders and in archives: found, and read pair by pair."""
