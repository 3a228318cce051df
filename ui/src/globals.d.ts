/** The version of package.json, written in by the build. */
declare const __UI_VERSION__: string;
