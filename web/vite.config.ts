import { defineConfig, type Plugin } from "vite";

/**
 * The built pages forbid themselves everything that they do not need, which also shows that the package works
 * without eval, without inline code and without special headers.
 */
function contentSecurityPolicy(): Plugin {
  const policy = [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self' blob: http: https:",
    "base-uri 'none'",
    "form-action 'none'",
  ];
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      {
        tag: "meta",
        attrs: { "http-equiv": "Content-Security-Policy", content: policy.join("; ") },
        injectTo: "head-prepend",
      },
    ],
  };
}

export default defineConfig({
  // Relative addresses: the build runs from any folder of any server.
  base: "./",
  build: { target: "es2022", rolldownOptions: { input: ["index.html", "bench.html"] } },
  // qwill starts a worker and fetches files beside itself, which Vite's pre-bundling would break.
  optimizeDeps: { exclude: ["qwill"] },
  server: { fs: { allow: [".", "../npm"] } },
  plugins: [contentSecurityPolicy()],
});
