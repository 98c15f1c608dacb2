// Times in the viewer's zone and language. Without it they stand in UTC.
"use strict";

(() => {
  const language = document.documentElement.lang;
  const today = (time) => time.toDateString() === new Date().toDateString();
  const clock = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
  const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });

  // Writes each <time datetime> below `root` anew.
  window.localTimes = (root) => {
    for (const element of root.querySelectorAll("time[datetime]")) {
      const time = new Date(element.dateTime);
      if (Number.isNaN(time.getTime())) continue;
      element.textContent = today(time) ? clock.format(time) : full.format(time);
      element.title = full.format(time);
    }
  };
  window.localTimes(document);
})();
