/** What the page does beyond HTML: columns can be sorted, and a link to a row opens it. All is readable without. */
export const PAGE_SCRIPT = `'use strict';
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const kind = head.dataset.sort;
    if (!kind) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const first = kind === 'number' && column > 0 ? 'descending' : 'ascending';
      const now = head.getAttribute('aria-sort');
      const order = now === null ? first : now === 'ascending' ? 'descending' : 'ascending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', order);
      const sign = order === 'ascending' ? 1 : -1;
      const value = (row) => {
        const cell = row.cells[column];
        return kind === 'number' ? Number(cell.dataset.value) : cell.textContent.trim();
      };
      const compare = (a, b) => kind === 'number' ? value(a) - value(b) : value(a).localeCompare(value(b));
      body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
    });
  });
}
const open = () => {
  const row = document.getElementById(location.hash.slice(1));
  if (!row) return;
  const details = row.querySelector('details');
  if (details) details.open = true;
};
addEventListener('hashchange', open);
open();`;
