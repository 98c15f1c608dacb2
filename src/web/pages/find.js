// Finds while somebody types. The server writes the hits, so all that comes is text already.
"use strict";

(() => {
  const form = document.getElementById("find");
  const input = document.getElementById("q");
  const results = document.getElementById("results");
  const PAUSE = 80;
  let waiting = 0;
  let asking = null;
  let shown = input.value;

  const ask = async () => {
    const question = input.value;
    if (question === shown) return;
    asking?.abort();
    asking = new AbortController();
    const query = new URLSearchParams({ q: question });
    try {
      const answer = await fetch(`/find?${query}&part=hits`, { signal: asking.signal });
      // The login has ended: the page itself leads to it.
      if (answer.redirected || !answer.ok) return form.submit();
      const html = await answer.text();
      if (question !== input.value) return;
      results.innerHTML = html;
      shown = question;
      history.replaceState(null, "", question ? `/find?${query}` : "/find");
    } catch (error) {
      if (error.name !== "AbortError") form.submit();
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    ask();
  });
  input.setSelectionRange(input.value.length, input.value.length);
})();
