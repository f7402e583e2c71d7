/* The tabs, and what starts the page. */

const tabs = [...document.querySelectorAll("[role=tab]")];

function selectTab(tab) {
  for (const each of tabs) {
    each.setAttribute("aria-selected", each === tab);
    each.tabIndex = each === tab ? 0 : -1;
    byId(each.getAttribute("aria-controls")).hidden = each !== tab;
  }
  closeTip();
}

tabs.forEach((tab, index) => {
  tab.addEventListener("click", () => selectTab(tab));
  tab.addEventListener("keydown", (event) => {
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    selectTab(next);
    next.focus();
  });
});

loadModel(JSON.parse(byId("header").textContent), byId("weights").textContent).then(({ network, tokenizer }) => {
  new WriteView(network, tokenizer);
  new ReadView(network, tokenizer);
  byId("write-status").textContent = "";
}, () => {
  byId("write-status").textContent = "This browser is too old to load the model. Use a version from 2023 or later.";
});
