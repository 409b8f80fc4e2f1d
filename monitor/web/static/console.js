// Draws the chart from the data in the page, and lets the page refresh itself only while somebody looks.
(function () {
  "use strict";
  var chart = null;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function draw() {
    var box = document.getElementById("chart");
    var source = document.getElementById("chart-data");
    if (!box || !source || !window.echarts) { return; }
    var data = JSON.parse(source.textContent);
    if (!chart || chart.getDom() !== box) {
      if (chart) { chart.dispose(); }
      chart = window.echarts.init(box, null, { renderer: "canvas" });
      chart.resize();  // an empty box is not shown, so only now it has a width
    }
    chart.setOption({
      animation: false,
      grid: { left: 8, right: 12, top: 16, bottom: 8, containLabel: true },
      tooltip: { trigger: "axis", renderMode: "richText", axisPointer: { type: "shadow" } },
      xAxis: {
        type: "category", data: data.labels, axisTick: { show: false },
        axisLine: { lineStyle: { color: colour("--pw-line") } }, axisLabel: { color: colour("--pw-soft"), hideOverlap: true }
      },
      yAxis: {
        type: "value", minInterval: 1,
        splitLine: { lineStyle: { color: colour("--pw-line") } }, axisLabel: { color: colour("--pw-soft") }
      },
      series: [{
        type: "bar", name: data.name, data: data.counts, barMaxWidth: 28,
        itemStyle: { color: colour("--pw-accent"), borderRadius: [3, 3, 0, 0] }
      }]
    }, true);
  }

  function refresh() {
    var live = document.getElementById("live");
    if (live && !document.hidden && window.htmx) { window.htmx.trigger(live, "refresh"); }
  }

  document.addEventListener("htmx:before:request", function (event) {
    if (document.hidden) { event.preventDefault(); }
  });
  function stale(is) {
    var note = document.getElementById("stale");
    if (note) { note.hidden = !is; }
  }

  // htmx says "after swap" for an error's answer too, although nothing of it is swapped in.
  document.addEventListener("htmx:after:request", function (event) {
    stale(event.detail.ctx.response.status >= 400);
  });
  document.addEventListener("htmx:error", function () { stale(true); });
  document.addEventListener("htmx:after:swap", draw);
  document.addEventListener("visibilitychange", refresh);
  window.addEventListener("resize", function () { if (chart) { chart.resize(); } });
  draw();
})();
