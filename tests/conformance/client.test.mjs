// A TypeScript client: types made by graphql-codegen from the committed schema, compiled strictly, run with urql and graphql-ws.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { generate } from '@graphql-codegen/cli';

const run = promisify(execFile);
const here = import.meta.dirname;
let folder;

before(async () => {
  // In the system's folder for temporary files, so that the checkout stays clean.
  folder = await mkdtemp(join(process.env.SPIL_DATA_FOLDER, 'client-'));
  await cp(join(here, 'client', 'src'), join(folder, 'src'), { recursive: true });
  await symlink(join(here, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noUncheckedIndexedAccess: true,
        module: 'nodenext',
        target: 'es2022',
        skipLibCheck: true,
        outDir: 'out',
        rootDir: '.',
        types: ['node'],
      },
      include: ['src', 'gql'],
    }),
  );
});
after(() => rm(folder, { recursive: true, force: true }));

test('codegen makes types of the schema, with strict scalars', async () => {
  await generate(
    {
      cwd: folder,
      schema: join(here, '..', '..', 'services', 'gateway', 'schema.graphql'),
      documents: [join(folder, 'src', '**', '*.ts')],
      silent: true,
      emitLegacyCommonJSImports: false,
      generates: {
        [`${join(folder, 'gql')}/`]: {
          preset: 'client',
          presetConfig: { fragmentMasking: { unmaskFunctionName: 'read' } },
          config: {
            // A scalar that is not named here is an error, so that nothing is `any` unnoticed.
            strictScalars: true,
            scalars: {
              ID: 'string',
              Date: 'string',
              DateTime: 'string',
              Decimal: 'string',
              Json: 'unknown',
              _Any: '{ [name: string]: unknown }',
              federation__FieldSet: 'string',
            },
            useTypeImports: true,
            enumsAsTypes: true,
          },
        },
      },
    },
    true,
  );
});

test('the client compiles strictly', async () => {
  await run(process.execPath, [join(here, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', folder]).catch((error) => {
    throw new Error(error.stdout.slice(0, 3000));
  });
});

test('the client works: pages, a mutation, a lost race, a subscription', async () => {
  const { stdout } = await run(process.execPath, [join(folder, 'out', 'src', 'main.js')], { timeout: 60_000 });
  assert.match(stdout, /client: \d+ cards/);
});
