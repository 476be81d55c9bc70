/** How histories are told: sizes go to the layers that steps made. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { historySteps } from '../../../src/image/image-history.ts';
import type { DiffId, Digest } from '../../../src/spec/digest.ts';
import type { HistoryEntry } from '../../../src/spec/image-config.ts';

const diffId = (n: number): DiffId => `sha256:${String(n).repeat(64)}` as DiffId;
const steps = (history: readonly HistoryEntry[], layers: number, known: Readonly<Record<number, number>> = {}) =>
  historySteps({
    id: 'a'.repeat(64),
    names: ['localhost/app:latest'],
    config: {
      os: 'linux',
      architecture: 'amd64',
      history,
      rootfs: { type: 'layers', diff_ids: Array.from({ length: layers }, (_, i) => diffId(i + 1)) },
    },
    layers: Array.from({ length: layers }, (_, i) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: diffId(i + 1) as unknown as Digest,
      size: 10 * (i + 1),
    })),
    sizeOf: (layer) => known[Number(layer.at(-1))],
  });
const told = (found: ReturnType<typeof steps>): string[] =>
  found.map(({ createdBy, sizeBytes, emptyLayer }) => `${createdBy} ${sizeBytes}${emptyLayer ? ' empty' : ''}`);

it('steps come newest first, empty ones without size, layers with what is known of them', () => {
  const history: HistoryEntry[] = [
    { created_by: 'ADD' },
    { created_by: 'ENV', empty_layer: true },
    { created_by: 'RUN' },
  ];
  const found = steps(history, 2, { 2: 4096 });
  assert.deepEqual(told(found), ['RUN 4096', 'ENV 0 empty', 'ADD 10']);
  assert.deepEqual(
    found.map(({ id, names }) => [id?.length, names.length]),
    [
      [64, 1],
      [undefined, 0],
      [undefined, 0],
    ],
  );
});
it('a base without history lies below what is told', () => {
  assert.deepEqual(told(steps([{ created_by: 'CMD', empty_layer: true }, { created_by: 'RUN' }], 3)), [
    'RUN 30',
    'CMD 0 empty',
    ' 20',
    ' 10',
  ]);
});
it('a history that tells of more layers than there are has no size for them', () => {
  assert.deepEqual(told(steps([{ created_by: 'A' }, { created_by: 'B' }], 1)), ['B 10', 'A 0']);
});
it('an image without history and layers has no steps', () => {
  assert.deepEqual(steps([], 0), []);
});
