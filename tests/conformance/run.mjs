// Starts the binary with a demo organisation in a folder of its own, runs the suites against it, and ends it.
//
//   node run.mjs [--binary PATH] [SUITE ...]    a suite is the beginning of a file name: `relay`
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_LIMIT_MS = 120_000;
/** How long a suite may take, and each test in it. */
const SUITE_LIMIT_MS = 240_000;
const STOP_LIMIT_MS = 20_000;

const options = process.argv.slice(2);
const at = options.indexOf('--binary');
const [, given] = at < 0 ? [] : options.splice(at, 2);
const binary = given ?? process.env.SPIL_BINARY;
if (!binary) {
  console.error('conformance: say which binary with --binary or SPIL_BINARY');
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), 'spil-conformance-'));
const server = spawn(
  binary,
  ['demo', '--workers', '200', '--data', folder, '--listen', '127.0.0.1:0', '--grpc-listen', '127.0.0.1:0'],
  { stdio: ['ignore', 'pipe', 'pipe'] },
);
let said = '';
let complained = '';
server.stderr.on('data', (piece) => (complained = (complained + piece).slice(-20_000)));
const ended = new Promise((resolve) => server.on('exit', resolve));

/** What the binary prints when it listens: the address, and the token on a line of its own. */
async function started() {
  const limit = setTimeout(() => server.kill('SIGKILL'), START_LIMIT_MS);
  try {
    for await (const piece of server.stdout) {
      said += piece;
      const address = said.match(/GraphQL\s+(http:\S+)/)?.[1];
      const token = said.match(/^(eyJ[\w-]+\.[\w-]+\.[\w-]+)$/m)?.[1];
      if (address && token) return { address, token };
    }
  } finally {
    clearTimeout(limit);
  }
  throw new Error(`the binary did not start:\n${complained}`);
}

async function suites() {
  const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith('.test.mjs')).sort();
  const chosen = options.length ? files.filter((name) => options.some((option) => name.startsWith(option))) : files;
  if (!chosen.length) throw new Error(`there is no suite ${options.join(' or ')}`);
  const { address, token } = await started();
  const tests = spawn(process.execPath, ['--test', '--test-reporter=spec', '--test-concurrency=2', `--test-timeout=${SUITE_LIMIT_MS}`, ...chosen], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, SPIL_TARGET: address, SPIL_TOKEN: token, SPIL_BINARY: binary, SPIL_DATA_FOLDER: folder },
  });
  return new Promise((resolve) => tests.on('exit', (code) => resolve(code ?? 1)));
}

let status = 1;
try {
  status = await suites();
} catch (error) {
  console.error(`conformance: ${error.message}`);
} finally {
  server.kill('SIGTERM');
  const limit = setTimeout(() => server.kill('SIGKILL'), STOP_LIMIT_MS);
  const code = await ended;
  clearTimeout(limit);
  if (status === 0 && code !== 0) {
    console.error(`conformance: the binary ended with ${code}:\n${complained}`);
    status = 1;
  }
  await rm(folder, { recursive: true, force: true });
}
process.exit(status);
