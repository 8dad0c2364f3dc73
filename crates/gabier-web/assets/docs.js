// Starts Swagger UI on our own document: no validator, no outside request.

/** Gives Swagger UI's parts the names and levels that a screen reader needs. It draws anew at will, so this follows. */
function describe(root) {
  root.querySelectorAll("h3.opblock-tag, section.models > h4").forEach((heading) => heading.setAttribute("aria-level", "2"));
  root.querySelectorAll(".opblock h4").forEach((heading) => heading.setAttribute("aria-level", "3"));
  root.querySelectorAll("select:not([aria-label])").forEach((select) => select.setAttribute("aria-label", "Choice"));
  root.querySelectorAll("textarea:not([aria-label])").forEach((area) => area.setAttribute("aria-label", "Request body"));
  root.querySelectorAll("pre, .highlight-code").forEach((block) => block.setAttribute("tabindex", "0"));
}

addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("docs");
  new MutationObserver(() => describe(root)).observe(root, { childList: true, subtree: true });
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#docs",
    // A link inside each operation's button would be two controls in one.
    deepLinking: false,
    validatorUrl: null,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    presets: [SwaggerUIBundle.presets.apis],
  });
});
