import { describe, expect, it } from 'vitest'
import { lex } from './lexer.ts'

const words = (text: string) => lex(text, 'Corefile').map(({ text: word, line }) => `${line}:${word}`)

describe('words of a Corefile', () => {
  it.each([
    ['a b\n\tc', ['1:a', '1:b', '2:c']],
    ['# all of it\na # rest\nb', ['2:a', '3:b']],
    ['a#b c', ['1:a', '1:c']],
    ['a #b c\nd', ['1:a', '2:d']],
    ['a#"b c\nd', ['1:a', '1:c', '2:d']],
    ['"a b" c', ['1:a b', '1:c']],
    ['"a\nb" c', ['1:a\nb', '2:c']],
    ['a"b c"', ['1:a"b', '1:c"']],
    ['"a \\" b" c', ['1:a " b', '1:c']],
    ['"a \\n" c', ['1:a \\n', '1:c']],
    ['"" a', ['1:', '1:a']],
    ['"a', ['1:a']],
    ['a\r\nb', ['1:a', '2:b']],
    ['\ufeffa', ['1:a']],
    ['a{', ['1:a{']],
  ])('%j', (text, expected) => expect(words(text)).toEqual(expected))
})
