import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { imageRow, NOW, slipway } from './fake-program.ts';

const IMAGES = [
  imageRow('a', ['localhost/bb:latest', 'localhost/other:1'], 30),
  imageRow('b', [], 2),
  imageRow('c', ['host:5000/ns/app:v2'], 1, { labels: { tier: 'web' }, containers: ['x'], readOnly: true }),
  imageRow('e', [], 3, { intermediate: true, dangling: false }),
];
const list = (argv: readonly string[], images = IMAGES) =>
  slipway(['images', ...argv], {
    verbs: { images: () => images, image: (_, name) => images.find((i) => i.names.includes(name)) },
    now: NOW,
  });

describe('images', () => {
  it('prints a row for each name, newest first', async () => {
    assert.equal(
      (await list([])).stdout,
      `REPOSITORY         TAG      IMAGE ID       CREATED          SIZE
host:5000/ns/app   v2       cccccccccccc   59 minutes ago   3.97 MB
<none>             <none>   bbbbbbbbbbbb   2 hours ago      3.97 MB
localhost/bb       latest   aaaaaaaaaaaa   30 hours ago     3.97 MB
localhost/other    1        aaaaaaaaaaaa   30 hours ago     3.97 MB
`,
    );
  });
  it('keeps the columns without headings', async () => {
    const { stdout } = await list(['-n']);
    assert.equal(stdout, (await list([])).stdout.split('\n').slice(1).join('\n'));
  });
  it('prints only headings for an empty store', async () => {
    assert.equal((await list([], [])).stdout, 'REPOSITORY   TAG   IMAGE ID   CREATED   SIZE\n');
    assert.equal((await list(['-q'], [])).stdout, '');
    assert.equal((await list(['--json'], [])).stdout, '[]\n');
  });
  it('prints each id once with -q', async () => {
    assert.equal((await list(['-q'])).stdout, 'cccccccccccc\nbbbbbbbbbbbb\naaaaaaaaaaaa\n');
    assert.match((await list(['-q', '--no-trunc'])).stdout, /^sha256:c{64}\n/);
  });
  it('prints JSON in the shape and order of Buildah', async () => {
    const { stdout } = await list(['--json', '--filter', 'dangling=true']);
    assert.equal(
      stdout,
      `[
    {
        "id": "bbbbbbbbbbbb",
        "names": null,
        "digest": "sha256:${'d'.repeat(64)}",
        "createdat": "2 hours ago",
        "size": "3.97 MB",
        "created": 1795248000,
        "createdatraw": "2026-11-21T08:00:00.123456789Z",
        "readonly": false,
        "history": null
    }
]
`,
    );
  });
  it('shows intermediate images with -a', async () => {
    assert.match((await list(['-a', '-q'])).stdout, /eeeeeeeeeeee/);
  });
  it('fills templates, blanks separating columns', async () => {
    const { stdout } = await list([
      '--format',
      '{{.ID}} {{.Name}}:{{.Tag}} {{.ReadOnly}}',
      '-f',
      'reference=app,reference=other',
    ]);
    assert.equal(
      stdout,
      `cccccccccccc   host:5000/ns/app:v2   true
aaaaaaaaaaaa   localhost/bb:latest   false
aaaaaaaaaaaa   localhost/other:1     false
`,
    );
  });
  it('prints headings for the table prefix', async () => {
    const { stdout } = await list(['--format', 'table {{.ID}}\\t{{.Size}}', '--filter', 'label=tier=web']);
    assert.equal(stdout, 'IMAGE ID       SIZE\ncccccccccccc   3.97 MB\n');
  });
  it('prints times as Go does', async () => {
    const { stdout } = await list(['--format', '{{.CreatedAtRaw}}|{{.Created}}', '--filter', 'id=ccc']);
    assert.equal(stdout, '2026-11-21 09:00:00.123456789 +0000 UTC|1795251600\n');
  });
  it('refuses unknown fields even on an empty store', async () => {
    const { code, stderr } = await list(['--format', '{{.Nam}}'], []);
    assert.equal(code, 125);
    assert.match(stderr, /can't evaluate field Nam in type main\.imageOutputParams\nhelp: did you mean `\.Name`\?/);
  });
  const FILTERS: readonly [string[], string][] = [
    [['before=localhost/bb:latest'], ''],
    [['since=localhost/bb:latest'], 'cb'],
    [['containers=true'], 'c'],
    [['readonly=false'], 'ba'],
    [['label=tier'], 'c'],
    [['label=tier=db'], ''],
    [['until=24h'], 'a'],
    [['until=2026-11-21T08:30:00Z'], 'ba'],
    [['reference=localhost/*'], 'a'],
    [['reference=*/app'], 'c'],
    [['reference=bb:*'], 'a'],
    [['reference=b?', 'dangling=false'], 'a'],
    [['id=b', 'id=c'], 'cb'],
    [['intermediate=true'], 'e'],
    [['digest=sha256:dd', 'manifest=true'], ''],
  ];
  for (const [filters, ids] of FILTERS) {
    it(`filters by ${filters.join(' and ')}`, async () => {
      const { stdout, stderr } = await list(['-q', ...filters.flatMap((f) => ['--filter', f])]);
      assert.equal(stderr, '');
      assert.equal(
        stdout
          .split('\n')
          .map((line) => line[0] ?? '')
          .join(''),
        ids,
      );
    });
  }
  const REFUSALS: readonly [string[], RegExp][] = [
    [['-f', 'bogus=1'], /^Error: unsupported image filter "bogus"\n/],
    [['-f', 'dangling=perhaps'], /non-boolean value "perhaps"/],
    [['-f', 'dangling'], /must be in the format "filter=value"/],
    [['-a', 'x'], /^Error: when using the --all switch, you may not pass any images names or IDs\n/],
    [['-q', '--format', 'x'], /^Error: quiet and format are mutually exclusive\n/],
  ];
  for (const [argv, message] of REFUSALS) {
    it(`refuses ${argv.join(' ')}`, async () => {
      const { code, stdout, stderr } = await list(argv);
      assert.deepEqual([code, stdout], [125, '']);
      assert.match(stderr, message);
    });
  }
});

const CONTAINERS = [
  {
    id: '2810445380c3'.padEnd(64, '0'),
    name: 'bb-working-container',
    imageId: 'd6a01784f740'.padEnd(64, '0'),
    imageName: 'localhost/bb:latest',
    builder: true,
    mountPoint: undefined,
    created: '',
  },
  {
    id: '372fda84142c'.padEnd(64, '0'),
    name: 'working-container',
    imageId: '',
    imageName: 'scratch',
    builder: true,
    mountPoint: '/m',
    created: '',
  },
];
const ps = (argv: readonly string[], containers = CONTAINERS) =>
  slipway(['containers', ...argv], { verbs: { containers: () => containers } });

describe('containers', () => {
  it('prints the fixed columns of Buildah', async () => {
    assert.equal(
      (await ps([])).stdout,
      `CONTAINER ID  BUILDER  IMAGE ID     IMAGE NAME                       CONTAINER NAME
2810445380c3     *     d6a01784f740 localhost/bb:latest              bb-working-container
372fda84142c     *                  scratch                          working-container
`,
    );
  });
  it('prints full ids on request and always with -q', async () => {
    assert.match((await ps(['--notruncate', '-n'])).stdout, /^2810445380c30{52} {4}\* {5}d6a01784f7400{52} localhost/);
    assert.equal((await ps(['-q'])).stdout, CONTAINERS.map(({ id }) => `${id}\n`).join(''));
  });
  it('prints null for an empty list of JSON', async () => {
    assert.equal((await ps(['--json'], [])).stdout, 'null\n');
    assert.deepEqual(JSON.parse((await ps(['--json'])).stdout)[1], {
      id: CONTAINERS[1]!.id,
      builder: true,
      imageid: '',
      imagename: 'scratch',
      containername: 'working-container',
    });
  });
  it('fills templates in lined-up columns', async () => {
    assert.equal(
      (await ps(['--format', '{{.ContainerName}} {{.Builder}}'])).stdout,
      'bb-working-container      *\nworking-container         *\n',
    );
  });
  it('filters', async () => {
    assert.equal((await ps(['-q', '-f', 'name=bb,ancestor=localhost/bb'])).stdout, `${CONTAINERS[0]!.id}\n`);
    assert.match((await ps(['-f', 'bad=x'])).stderr, /^Error: parsing filter: invalid filter "bad"\n/);
    assert.match((await ps(['-f', 'foo'])).stderr, /incorrect filter value "foo", should be of form filter=value/);
  });
  it('is known as ps, ls and list', async () => {
    for (const alias of ['ps', 'ls', 'list']) {
      assert.equal((await slipway([alias, '-q'], { verbs: { containers: () => [] } })).code, 0);
    }
  });
});
