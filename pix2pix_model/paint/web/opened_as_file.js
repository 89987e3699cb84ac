// Browsers load no modules and no model into a page that was opened as a file: it could only stay empty.
if (location.protocol === "file:") {
  const line = document.querySelector(".message");
  line.textContent =
    "This page needs a web server, if only a small one. In its folder: python -m http.server --bind 127.0.0.1 8000, " +
    "then open http://127.0.0.1:8000/";
  line.hidden = false;
}
