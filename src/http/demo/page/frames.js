// One requestAnimationFrame for all: however many messages come, the page is drawn once a frame.

const due = new Set();
let isAsked = false;

/** Has `work` run once in the next frame, however often it is asked for. */
export function nextFrame(work) {
  due.add(work);
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame((now) => {
    isAsked = false;
    const works = [...due];
    due.clear();
    for (const each of works) each(now);
  });
}
