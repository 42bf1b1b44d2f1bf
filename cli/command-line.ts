import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { nearest } from '../cluster/nearest.ts'
import { SHOWN_AS } from '../render/show.ts'
import { check } from './check.ts'
import { compare } from './compare.ts'
import { demo } from './demo.ts'
import { dns } from './dns.ts'
import { dnsServer } from './dns-server.ts'
import { EXIT } from './exit-code.ts'
import { labList, labNew, labSchemaText, labValidate } from './lab.ts'
import { labMaterialise } from './materialise.ts'
import { NEW_LAB_NETWORKS } from './new-lab.ts'
import { pcap } from './pcap.ts'
import { PROTOCOLS } from './question-options.ts'
import { schema } from './schema.ts'
import { NOUNS, show } from './show.ts'
import { complain, Stop } from './terminal.ts'
import { trace } from './trace.ts'
import { VERSION, version } from './version.ts'

/** The command line. Each command answers with its exit code; results go to standard output, the rest to standard error. */
export function commandLine(args: readonly string[]): number {
  let code: number = EXIT.yes
  try {
    program((result) => {
      code = result
    }).parse([...args], { from: 'user' })
    return code
  } catch (error) {
    return failed(error)
  }
}

const more = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]
const count = (_value: string, before = 0): number => before + 1

/** Reads a whole number between bounds. */
const whole =
  (least: number, most: number) =>
  (text: string): number => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    throw new InvalidArgumentError(`It is a whole number, ${least} to ${most}.`)
  }

const MOST_SEEDS = 2 ** 32 - 1

function snapshotOptions(command: Command): Command {
  return command
    .option('-f, --file <path>', 'snapshot, manifests or lab: a file, a directory, or - (repeatable)', more)
    .option('--lab <name>', 'a built-in lab (podwalk lab list)')
    .option('--proxy <mode>', 'kube-proxy mode, whatever the cluster says')
    .option('--strict', 'stop where the input has an error')
    .option('-q, --quiet', 'no warnings')
}

function questionOptions(command: Command): Command {
  return snapshotOptions(command)
    .requiredOption('--from <endpoint>', 'pod/NAME, node/NAME, ext/NAME or an address')
    .requiredOption('--to <endpoint>', 'svc/NAME[:PORT], pod/NAME[:PORT], an address, a DNS name, a URL')
    .option('-n, --namespace <name>', 'namespace of names without one', 'default')
    .addOption(new Option('--protocol <name>', 'what is sent').choices(PROTOCOLS))
    .option('--ttl <hops>', 'TTL of what the client sends', whole(1, 255))
    .option('--source-port <port>', 'the port that the client sends from', whole(1, 65_535))
    .option('--seed <number>', 'seed of every random choice', whole(0, MOST_SEEDS), 1)
}

/** A question that is asked before tables are looked at. */
function askedOptions(command: Command): Command {
  return command
    .option('--from <endpoint>', 'first this one asks --to: tables hold then what that left in them')
    .option('--to <endpoint>', 'whom --from asks')
    .addOption(new Option('--protocol <name>', 'what is sent').choices(PROTOCOLS))
    .option('--source-port <port>', 'the port that the client sends from', whole(1, 65_535))
    .option('--seed <number>', 'seed of every random choice', whole(0, MOST_SEEDS), 1)
}

/** Asking more than once, of machines that remember. */
function againOptions(command: Command): Command {
  return command
    .option('--repeat <times>', 'ask again and again: conntrack, affinity and caches remember', whole(1, 1000))
    .option('--every <seconds>', 'between the beginnings of two requests', whole(1, 1_000_000), 1)
    .option(
      '--then <change>',
      "then the cluster changes, and the same client asks again by the socket it kept: 'apply -f FILE', 'delete pod/NAME', 'scale deploy/NAME --replicas=0' ... (repeatable)",
      more,
    )
    .option('--anew', 'with --then: the client asks again by a new socket')
}

/** Colours and characters; on every command that writes for people. */
function lookOptions(command: Command): Command {
  return command
    .option('--color', 'colours although this is no terminal')
    .option('--no-color', 'no colours')
    .option('--ascii', 'no characters outside ASCII')
}

function textOptions(command: Command): Command {
  return lookOptions(
    command
      .option('-v, --verbose', 'headers and hooks; -vv every rule that was tried', count, 0)
      .addOption(new Option('-o, --output <form>', 'how it is told').choices(['text', 'wide', 'json']).default('text')),
  )
}

function program(done: (code: number) => void): Command {
  const root = new Command('podwalk')
    .description(
      'Walks a packet through a Kubernetes cluster that is only a file.\nWithout a command: a request on the built-in textbook cluster.',
    )
    .version(VERSION, '-V, --version')
    .helpCommand(true)
    .showHelpAfterError('  do: podwalk --help tells the commands, podwalk COMMAND --help their options')
    .exitOverride()

  textOptions(againOptions(questionOptions(root.command('trace'))))
    .description('one conversation, packet by packet, there and back')
    .addOption(
      new Option('--explore <what>', 'every way that random choices can fall, with probabilities').choices(['all']),
    )
    .option('--via <node>', 'packets from outside enter the cluster at this node; all: a verdict for each node')
    .action((options) => done(trace(options)))

  textOptions(questionOptions(root.command('compare')))
    .description('the same request in several kube-proxy modes, step by step (--proxy iptables,nftables)')
    .action((options) => done(compare(options)))

  questionOptions(root.command('pcap'))
    .description('the packets of a conversation for Wireshark (pcapng)')
    .requiredOption('-w, --write <file>', 'the file to write')
    .option('--at <point>', 'one capture point: NODE/LINK or NODE/NAMESPACE/POD/LINK (repeatable)', more)
    .action((options) => done(pcap(options)))

  lookOptions(snapshotOptions(root.command('dns [name] [type...]')))
    .description('what a resolver asks for a name, who answers, and what would spare queries')
    .option('--from <endpoint>', 'pod/NAME, node/NAME, ext/NAME or an address')
    .option('-n, --namespace <name>', 'namespace of names without one', 'default')
    .option('--resolver <name>', 'whose library or tool looks the name up: glibc, or several, or all')
    .option('--plan', 'the names given, with every ndots: what each costs, what it breaks, which is best')
    .option('--from-log <file>', 'the same for each workload in a log of CoreDNS')
    .option('--seed <number>', 'seed of every random choice', whole(0, MOST_SEEDS), 1)
    .option('--explain', 'every candidate, query, plugin and decision')
    .option('-v, --verbose', 'the way of the first query too', count, 0)
    .addOption(
      new Option('-o, --output <form>', 'how it is told').choices(['text', 'wide', 'json', 'dig']).default('text'),
    )
    .action((name, more, options) => done(dns(name === undefined ? [] : [name, ...more], options)))

  snapshotOptions(root.command('dns-server'))
    .description("the cluster's DNS for real clients: dig, curl, a browser")
    .option('--from <endpoint>', 'whom the clients seem to be; else the node of CoreDNS')
    .option('-n, --namespace <name>', 'namespace of names without one', 'default')
    .option('--listen <address>', 'where to listen, UDP and TCP', '127.0.0.1:5353')
    .option(
      '--upstream <address>',
      'a real resolver for what the input does not describe; else nothing leaves this machine',
    )
    .action((options) => done(dnsServer(options)))

  againOptions(askedOptions(snapshotOptions(root.command('show <what>'))))
    .description(`what a node holds, as its own tools print it: ${NOUNS}`)
    .option('--node <name>', 'on this node')
    .option('--pod <name>', 'in this pod')
    .option('-n, --namespace <name>', 'namespace of names without one')
    .option('-6, --six', 'the IPv6 side')
    .option('--table <name>', 'routing table')
    .option('--zone <name>', 'of records: only those of this DNS zone')
    .option('--service <name>', 'of rules: only those of this Service')
    .option('--stats', 'of ipvs: packets and octets, ipvsadm -Ln --stats')
    .option('--connections', 'of ipvs: the connections, ipvsadm -Lnc')
    .option('--origin', 'of rules and records: behind each, who put it there, for which object')
    .addOption(
      new Option('--as <form>', 'of rules: as the tool lists them, or as kube-proxy feeds them').choices(SHOWN_AS),
    )
    .action((what, options) => done(show(what, options)))

  lookOptions(snapshotOptions(root.command('check')))
    .description('what a snapshot holds, what is filled in, what is missing, and what is wrong')
    .addOption(new Option('-o, --output <form>', 'how it is told').choices(['text', 'wide', 'json']).default('text'))
    .action((options) => done(check(options)))

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
    .option('--nodes <number>', 'how many nodes', whole(1, 200), 3)
    .addOption(new Option('--cni <name>', 'pod network').choices(NEW_LAB_NETWORKS).default('flannel-vxlan'))
    .action((options) => done(labNew(options)))
  snapshotOptions(lab.command('materialise'))
    .description('the cluster as text that builds it out of network namespaces')
    .option('-o, --output <dir>', 'the directory to write')
    .option('--force', 'write into a directory that is not empty')
    .option('--prefix <text>', 'stands before the name of each namespace', 'podwalk-')
    .addOption(
      new Option('--bgp <how>', 'routes of BGP: as they end up, or told by BIRD')
        .choices(['routes', 'bird'])
        .default('routes'),
    )
    .action((options) => done(labMaterialise(options)))

  root
    .command('schema')
    .description('JSON Schema of what trace, trace --then (changes), check or dns prints with -o json')
    .addArgument(new Argument('[what]', 'which of them').choices(['trace', 'changes', 'check', 'dns']).default('trace'))
    .action((what) => done(schema(what)))
  root
    .command('version')
    .description('what this is, and what it models')
    .action(() => done(version()))
  return root
    .allowExcessArguments()
    .action((_options, command: Command) => done(command.args.length === 0 ? demo() : unknownCommand(root)))
}

function unknownCommand(root: Command): never {
  const [word = ''] = root.args
  const known = root.commands.map((command) => command.name())
  const near = nearest(word, known)
  throw new Stop(`there is no command "${word}"`, {
    todo: near === undefined ? `choose one of ${known.join(', ')}` : `did you mean podwalk ${near}?`,
  })
}

function failed(error: unknown): number {
  if (error instanceof Stop) {
    complain(error.lines)
    return error.code
  }
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.yes : EXIT.usage
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  complain([
    'error: podwalk failed. This is a fault of podwalk, not of the input.',
    text,
    '  do: report it with the command, the lines above and, if you can, `podwalk version` and the input',
  ])
  return EXIT.bug
}
