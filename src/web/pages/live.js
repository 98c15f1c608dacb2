// Keeps the list of calls live. The server writes each row, so all that comes is text already.
"use strict";

(() => {
  const list = document.getElementById("calls");
  if (!list) return;
  const MOST = Number(list.dataset.most);
  const LARGE = 3;
  const lamp = document.getElementById("live");
  const large = document.getElementById("large");
  const mine = document.getElementById("mine");
  const numbers = document.getElementById("mine-numbers");
  const sound = document.getElementById("mine-sound");
  const notify = document.getElementById("mine-notify");
  const denied = document.getElementById("mine-denied");
  let last = list.dataset.last;

  // What the operator has chosen is kept in this browser.
  const KEY = "nameplate-mine";
  const chosen = (() => {
    try {
      return JSON.parse(localStorage.getItem(KEY)) || {};
    } catch {
      return {};
    }
  })();
  const keep = () => {
    try {
      localStorage.setItem(KEY, JSON.stringify(chosen));
    } catch {
      // Without a place to keep it, it counts as long as the page is open.
    }
    document.getElementById("mine-shown").textContent = chosen.numbers ? `· ${chosen.numbers}` : "";
  };
  const digits = (text) => text.replace(/\D/g, "");
  const LONG = 5;
  // An extension has to be the same; a number may lack its country.
  const isMine = (called) => {
    const one = digits(called);
    const all = (chosen.numbers || "").split(/[,;]+/).map(digits);
    return all.some((other) => {
      if (!one || !other) return false;
      const [short, long] = one.length < other.length ? [one, other] : [other, one];
      return short === long || (short.length >= LONG && long.endsWith(short));
    });
  };

  let audio = null;
  const tone = (at, height) => {
    const oscillator = audio.createOscillator();
    const volume = audio.createGain();
    oscillator.frequency.value = height;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.2, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
    oscillator.connect(volume).connect(audio.destination);
    oscillator.start(at);
    oscillator.stop(at + 0.32);
  };
  const ring = () => {
    // Browsers give a page sound once somebody has clicked or typed on it.
    if (navigator.userActivation && !navigator.userActivation.hasBeenActive) return;
    audio = audio || new AudioContext();
    audio.resume();
    tone(audio.currentTime, 660);
    tone(audio.currentTime + 0.18, 880);
  };

  const showLarge = (row) => {
    const card = document.createElement("article");
    card.className = "card big";
    card.dataset.call = row.id;
    for (const part of ["caller", "company", "number", "called"]) {
      const line = document.createElement(part === "caller" ? "h2" : "p");
      line.className = part;
      for (const node of row.querySelector(`.${part}`).childNodes) line.append(node.cloneNode(true));
      if (line.textContent.trim()) card.append(line);
    }
    if (row.classList.contains("unsure")) card.classList.add("unsure");
    const close = document.createElement("button");
    close.type = "button";
    close.className = "second";
    close.textContent = large.dataset.close;
    close.addEventListener("click", () => card.remove());
    card.append(close);
    large.querySelector(`[data-call="${row.id}"]`)?.remove();
    large.prepend(card);
    while (large.children.length > LARGE) large.lastElementChild.remove();
  };

  const text = (row, part) => row.querySelector(`.${part}`).textContent.replace(/\s+/g, " ").trim();
  const announce = (row) => {
    showLarge(row);
    if (chosen.sound) ring();
    if (chosen.notify && "Notification" in window && Notification.permission === "granted") {
      const body = [text(row, "company"), text(row, "number")].filter(Boolean).join("\n");
      new Notification(text(row, "caller"), { body, tag: row.id });
    }
  };

  const take = (html, isNew) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    const row = template.content.querySelector("tr");
    if (!row) return;
    window.localTimes(row);
    const known = document.getElementById(row.id);
    if (known) {
      known.replaceWith(row);
      // A call that was announced may turn out otherwise.
      if (large.querySelector(`[data-call="${row.id}"]`)) showLarge(row);
      return;
    }
    list.prepend(row);
    while (list.children.length > MOST) list.lastElementChild.remove();
    document.getElementById("none").hidden = true;
    list.closest(".frame").hidden = false;
    if (isNew && isMine(row.dataset.called)) announce(row);
  };

  const say = (state, what) => {
    lamp.hidden = false;
    lamp.className = `lamp ${state}`;
    lamp.textContent = lamp.dataset[what];
  };

  const AGAIN = 3000;
  const listen = () => {
    const events = new EventSource(`/calls/events?after=${encodeURIComponent(last)}`);
    events.addEventListener("open", () => say("good", "live"));
    const takes = (isNew) => (event) => {
      last = event.lastEventId || last;
      take(event.data, isNew);
    };
    events.addEventListener("call", takes(true));
    // A call that came while the page was away does not ring now.
    events.addEventListener("missed", takes(false));
    events.addEventListener("error", () => {
      if (events.readyState !== EventSource.CLOSED) return say("warn", "lost");
      // A refusal: the login has ended, or there are too many pages. The browser does not try again by itself.
      say("bad", "ended");
      setTimeout(listen, AGAIN);
    });
  };

  numbers.value = chosen.numbers || "";
  sound.checked = Boolean(chosen.sound);
  notify.checked = Boolean(chosen.notify);
  mine.hidden = false;
  keep();
  numbers.addEventListener("input", () => {
    chosen.numbers = numbers.value.trim();
    keep();
  });
  sound.addEventListener("change", () => {
    chosen.sound = sound.checked;
    keep();
    if (sound.checked) ring();
  });
  notify.addEventListener("change", async () => {
    const answer = notify.checked && "Notification" in window ? await Notification.requestPermission() : "denied";
    denied.hidden = !notify.checked || answer === "granted";
    chosen.notify = notify.checked && answer === "granted";
    notify.checked = chosen.notify;
    keep();
  });
  listen();
})();
