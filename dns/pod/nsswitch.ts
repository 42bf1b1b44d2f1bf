/**
 * The hosts line that container images with glibc carry, and what glibc takes where there is no file (its built-in
 * default since 2.x: `files dns`).
 */
export const NSSWITCH_TEXT = 'hosts: files dns\n'
