// Bundles the pages into dist/: index.html, and assets/ whose names hold a hash of their content. Everything the page needs
// is in there; it asks no other host for anything.
import { build } from "esbuild";
import { readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";

const served = "/graphiql/assets/";

const options = {
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: "dist/assets",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  publicPath: served,
  metafile: true,
  legalComments: "linked",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".ttf": "file", ".woff2": "file", ".svg": "dataurl" },
  logLevel: "warning",
};

/** The served names of the entry points of a build, by the name of the source. */
function served_names({ metafile }) {
  const names = {};
  for (const [file, { entryPoint, cssBundle }] of Object.entries(metafile.outputs)) {
    if (entryPoint === undefined) continue;
    const source = basename(entryPoint).replace(/\.\w+$/, "");
    names[source] = served + basename(file);
    if (cssBundle !== undefined) names[`${source}.css`] = served + basename(cssBundle);
  }
  return names;
}

await rm("dist", { recursive: true, force: true });

// A worker is one file, so that it starts with one request.
const workers = served_names(
  await build({
    ...options,
    entryPoints: [
      "monaco-editor/esm/vs/editor/editor.worker.js",
      "monaco-editor/esm/vs/language/json/json.worker.js",
      "monaco-graphql/esm/graphql.worker.js",
    ],
  }),
);

const page = served_names(
  await build({
    ...options,
    splitting: true,
    entryPoints: ["src/graphiql.tsx"],
    define: {
      ...options.define,
      EDITOR_WORKER: JSON.stringify(workers["editor.worker"]),
      JSON_WORKER: JSON.stringify(workers["json.worker"]),
      GRAPHQL_WORKER: JSON.stringify(workers["graphql.worker"]),
    },
  }),
);

const html = await readFile("src/index.html", "utf8");
await writeFile("dist/index.html", html.replace("{script}", page.graphiql).replace("{style}", page["graphiql.css"]));
