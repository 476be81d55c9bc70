import { snapshotterSuite } from '../../support/snapshotter-suite.ts';

snapshotterSuite('vfs');
