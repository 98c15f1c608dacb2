// Keeps the page fresh. Without it the page shows what was true when it was loaded.
"use strict";

(() => {
  const EVERY = 5000;
  const BUSY = 1000;

  // What somebody has opened, or stands on, stays so.
  const opened = (root) => [...root.querySelectorAll("details")].map((details) => details.open);

  const look = async () => {
    const live = document.getElementById("live");
    if (document.visibilityState === "visible" && !live.contains(document.activeElement)) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.redirected) {
          location.reload();
          return;
        }
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("live");
        if (fresh && !live.contains(document.activeElement)) {
          const were = opened(live);
          fresh.querySelectorAll("details").forEach((details, at) => (details.open = were[at] ?? false));
          window.localTimes(fresh);
          live.replaceWith(fresh);
        }
      } catch {
        // The service is away: the page stays as it is, and the next look is later.
      }
    }
    setTimeout(look, document.getElementById("live").dataset.busy === "true" ? BUSY : EVERY);
  };
  setTimeout(look, document.getElementById("live").dataset.busy === "true" ? BUSY : EVERY);
})();
