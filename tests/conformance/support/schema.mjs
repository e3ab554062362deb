// The schema as the server gives it, and how it is linted.
import plugin from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';
import { Kind, buildClientSchema, getIntrospectionQuery, parse, print, printSchema, visit } from 'graphql';

import { ask } from './target.mjs';

const options = { inputValueDeprecation: true, specifiedByUrl: true, schemaDescription: true, directiveIsRepeatable: true };

/** The schema by introspection, as text. */
export async function introspectedSchema() {
  return printSchema(buildClientSchema(await ask(getIntrospectionQuery(options))));
}

// What the specification of federation names and defines is not ours to lint.
const machinery = /^(_\w+|link|key|shareable|link__\w+|federation__\w+|FieldSet)$/;
const lintedKinds = new Set([
  Kind.DIRECTIVE,
  Kind.DIRECTIVE_DEFINITION,
  Kind.OBJECT_TYPE_DEFINITION,
  Kind.SCALAR_TYPE_DEFINITION,
  Kind.UNION_TYPE_DEFINITION,
  Kind.ENUM_TYPE_DEFINITION,
  Kind.FIELD_DEFINITION,
]);

/** The schema without what federation adds to it. */
export function withoutFederation(sdl) {
  return print(
    visit(parse(sdl), {
      enter: (node) => {
        const isMachinery = lintedKinds.has(node.kind) && machinery.test(node.name?.value ?? '');
        return isMachinery || node.kind === Kind.SCHEMA_EXTENSION ? null : undefined;
      },
    }),
  );
}

/** The schema without the register of personal data, which stands in directives that introspection does not tell. */
export function withoutRegister(sdl) {
  const isRegister = (node) => [Kind.DIRECTIVE, Kind.DIRECTIVE_DEFINITION].includes(node.kind) && node.name.value === 'personalData';
  return print(visit(parse(sdl), { enter: (node) => (isRegister(node) ? null : undefined) }));
}

/** What a set of rules of graphql-eslint says of a schema, as `line: message (rule)`. */
export async function lint(sdl, rules) {
  const eslint = new ESLint({
    cwd: import.meta.dirname,
    overrideConfigFile: true,
    overrideConfig: [
      {
        files: ['**/*.graphql'],
        languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema: sdl } } },
        plugins: { '@graphql-eslint': plugin },
        rules,
      },
    ],
  });
  const [result] = await eslint.lintText(sdl, { filePath: `${import.meta.dirname}/schema.graphql` });
  return result.messages.map((message) => `${message.line}: ${message.message} (${message.ruleId})`);
}

/** The rules of a configuration of graphql-eslint. */
export function rulesOf(name) {
  return { ...plugin.configs[name].rules };
}
