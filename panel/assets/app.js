// Live progress: each event carries a fragment; what bears an id in it renews its elder on the page.
// Everything works without this file: the page then refreshes itself.
(function () {
  "use strict";
  var live = document.querySelector("[data-events]");
  if (!live || !window.EventSource) return;
  var source = new EventSource(live.getAttribute("data-events"));
  // Elements stay and only their content changes, so that a live region is read and an open log stays open.
  function renew(fresh) {
    var old = document.getElementById(fresh.id);
    if (!old || old.outerHTML === fresh.outerHTML) return;
    if (old.tagName === "PROGRESS") {
      old.max = fresh.max;
      old.value = fresh.value;
    }
    old.innerHTML = fresh.innerHTML;
  }
  source.addEventListener("progress", function (event) {
    var box = document.createElement("template");
    box.innerHTML = event.data;
    box.content.querySelectorAll("[id]").forEach(renew);
  });
  // The page of what has ended has other buttons: take it whole.
  source.addEventListener("end", function () {
    source.close();
    window.location.reload();
  });
  window.addEventListener("pagehide", function () {
    source.close();
  });
})();
