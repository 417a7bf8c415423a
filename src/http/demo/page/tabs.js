// Tabs that are links: each has a hash of its own, and the arrow keys go from one to the next.

import { find } from './dom.js';

/** `onshow` hears which tab is shown, by its hash without the #. */
export function setUp(onshow) {
  const list = find(document, '[role=tablist]');
  const tabs = [...list.querySelectorAll('[role=tab]')];
  const named = (hash) => tabs.find((tab) => tab.hash === hash);

  function show(chosen) {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute('aria-selected', String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      document.getElementById(tab.getAttribute('aria-controls')).hidden = !isChosen;
    }
    document.title = `${chosen.textContent} · mercury`;
    onshow(chosen.hash.slice(1));
  }

  function follow() {
    // the link that skips to the content is no tab, and leaves all as it is
    const chosen = location.hash === '' ? tabs[0] : named(location.hash);
    if (chosen) show(chosen);
  }

  list.addEventListener('keydown', (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || (to === undefined && event.key !== ' ')) return;
    event.preventDefault();
    const tab = tabs[((to ?? at) + tabs.length) % tabs.length];
    tab.focus();
    tab.click();
  });
  addEventListener('hashchange', follow);
  show(named(location.hash) ?? tabs[0]);
}
