// The pages work without this: it only opens the part of the reference that the address names.
addEventListener("hashchange", () => document.querySelector(":target")?.focus?.({ preventScroll: true }));
