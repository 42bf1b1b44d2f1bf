#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander'
import { demo } from './demo.ts'
import { EXIT } from './exit-code.ts'
import { labList, labNew, labSchemaText, labValidate } from './lab.ts'
import { pcap } from './pcap.ts'
import { schema } from './schema.ts'
import { NOUNS, show } from './show.ts'
import { complain, Stop } from './terminal.ts'
import { trace } from './trace.ts'
import { version } from './version.ts'

/** The command line. Each command answers with its exit code; results go to standard output, the rest to standard error. */

const more = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]
const count = (_value: string, before = 0): number => before + 1

function snapshotOptions(command: Command): Command {
  return command
    .option('-f, --file <path>', 'snapshot, manifests or lab: a file, a directory, or - (repeatable)', more)
    .option('--lab <name>', 'a built-in lab (podwalk lab list)')
    .option('--proxy <mode>', 'kube-proxy mode, whatever the cluster says')
    .option('--strict', 'stop at the first error of the input')
    .option('-q, --quiet', 'no warnings')
}

function questionOptions(command: Command): Command {
  return snapshotOptions(command)
    .requiredOption('--from <endpoint>', 'pod/NAME, node/NAME, ext/NAME or an address')
    .requiredOption('--to <endpoint>', 'svc/NAME[:PORT], pod/NAME[:PORT], an address, a DNS name, a URL')
    .option('-n, --namespace <name>', 'namespace of names without one', 'default')
    .option('--protocol <name>', 'tcp, udp or icmp')
    .option('--ttl <hops>', 'TTL of what the client sends')
    .option('--seed <number>', 'seed of every random choice', '1')
}

function program(done: (code: number) => void): Command {
  const root = new Command('podwalk')
    .description('Walks a packet through a Kubernetes cluster that is only a file.')
    .showHelpAfterError('(podwalk --help tells more)')
    .exitOverride()
    .action(() => done(demo()))

  questionOptions(root.command('trace'))
    .description('one conversation, packet by packet, there and back')
    .option('-v, --verbose', 'headers and hooks; -vv every rule that was tried', count)
    .option('-o, --output <form>', 'text, wide or json', 'text')
    .option('--explore <what>', '"all": every way that random choices can fall, with probabilities')
    .option('--color', 'colours although this is no terminal')
    .option('--no-color', 'no colours')
    .option('--ascii', 'no characters outside ASCII')
    .action((options) => done(trace(options)))

  questionOptions(root.command('pcap'))
    .description('the packets of a conversation for Wireshark (pcapng)')
    .requiredOption('-w, --write <file>', 'the file to write')
    .option('--at <point>', 'one capture point: NODE/LINK or NODE/NAMESPACE/POD/LINK (repeatable)', more)
    .action((options) => done(pcap(options)))

  snapshotOptions(root.command('show <what>'))
    .description(`what a node holds, as its own tools print it: ${NOUNS}`)
    .option('--node <name>', 'on this node')
    .option('--pod <name>', 'in this pod')
    .option('-n, --namespace <name>', 'namespace of the pod')
    .option('-6, --six', 'the IPv6 side')
    .option('--table <name>', 'routing table')
    .action((what, options) => done(show(what, options)))

  const lab = root.command('lab').description('clusters that are only a file')
  lab
    .command('list')
    .description('the labs that come with podwalk')
    .action(() => done(labList()))
  lab
    .command('schema')
    .description('JSON Schema of a Lab document')
    .action(() => done(labSchemaText()))
  lab
    .command('validate <file...>')
    .description('what is wrong in a lab')
    .action((files) => done(labValidate(files)))
  lab
    .command('new')
    .description('a lab to start from')
    .option('--nodes <number>', 'how many nodes', '3')
    .option('--cni <name>', 'flannel-vxlan, flannel-host-gw, flannel-udp or calico-bgp', 'flannel-vxlan')
    .action((options) => done(labNew(options)))

  root
    .command('schema')
    .description('JSON Schema of what trace -o json prints')
    .action(() => done(schema()))
  root
    .command('version')
    .description('what this is, and what it models')
    .action(() => done(version()))
  return root
}

/** Runs the command line; the exit code is the answer's. */
function main(argv: readonly string[]): number {
  let code: number = EXIT.yes
  try {
    program((result) => {
      code = result
    }).parse([...argv])
    return code
  } catch (error) {
    return failed(error)
  }
}

function failed(error: unknown): number {
  if (error instanceof Stop) {
    if (error.message !== '') complain(error.message.split('\n'))
    return error.code
  }
  if (isCommanderError(error)) return error.exitCode === 0 ? EXIT.yes : EXIT.usage
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  complain([
    'error: podwalk failed. This is a fault of podwalk, not of the input.',
    text,
    '  do: report it with the command, the lines above and, if you can, `podwalk version` and the input',
  ])
  return EXIT.bug
}

const isCommanderError = (error: unknown): error is { exitCode: number } =>
  error instanceof InvalidArgumentError ||
  (error instanceof Error && 'code' in error && String(error.code).startsWith('commander.'))

process.exitCode = main(process.argv)
