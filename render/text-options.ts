import type { Detail } from './hop-lines.ts'
import { type Paint, plainPaint } from './paint.ts'

export interface TextOptions {
  readonly detail: Detail
  /** Columns; names longer than their place are cut in the middle. Infinity cuts nothing (`-o wide`). */
  readonly width: number
  readonly paint: Paint
  /** Only characters of ASCII. */
  readonly ascii: boolean
}

export const DEFAULT_TEXT: TextOptions = { detail: 'normal', width: 80, paint: plainPaint, ascii: false }
