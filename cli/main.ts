#!/usr/bin/env node
import { commandLine } from './command-line.ts'

/** Whoever reads the output may stop reading: `podwalk trace ... | head`. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

process.exitCode = commandLine(process.argv.slice(2))
