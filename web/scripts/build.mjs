// Builds dist/: the library, its worker, the runtime's files, the detector, types. Uses no network.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { convert } from "./blazeface.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");
const modules = join(root, "node_modules");
const RUNTIME = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];
const DETECTOR = "face_detection_short_range";

/** The page's parts import the library from its own folder, beside its worker. */
const libraryBeside = {
  name: "library beside",
  setup: (builder) => builder.onResolve({ filter: /^\.\.\/mien\.js$/ }, () => ({ path: "../mien/mien.js", external: true })),
};

rmSync(dist, { recursive: true, force: true });
mkdirSync(join(dist, "models"), { recursive: true });

await build({
  absWorkingDir: root,
  entryPoints: { mien: "src/index.ts", worker: "src/worker.ts", mood: "src/mood/index.ts" },
  outdir: dist,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "linked",
  conditions: ["onnxruntime-web-use-extern-wasm"], // the runtime's files lie beside the worker, not inside it
  logLevel: "warning",
});

// Parts of the static page that replace the served page's: they speak to the model instead of to a server.
await build({
  absWorkingDir: root,
  entryPoints: { "page/device": "src/page/index.ts" },
  outdir: dist,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
  plugins: [libraryBeside],
});
copyFileSync(join(root, "NOTICES.txt"), join(dist, "NOTICES.txt"));
cpSync(join(root, "page"), join(dist, "page"), { recursive: true });

for (const name of RUNTIME) copyFileSync(join(modules, "onnxruntime-web/dist", name), join(dist, name));

const detector = join(modules, "@mediapipe/face_detection", `${DETECTOR}.tflite`);
chmodSync(detector, 0o644); // the package gives it to its owner alone
writeFileSync(join(dist, "models/blazeface.onnx"), convert(new Uint8Array(readFileSync(detector)), DETECTOR));

const types = spawnSync(
  process.execPath,
  [join(modules, "typescript/bin/tsc"), "--project", root, "--emitDeclarationOnly", "--declaration", "--rootDir", join(root, "src"), "--outDir", join(dist, "types"), "--noEmit", "false"],
  { stdio: "inherit" },
);
process.exit(types.status ?? 1);
