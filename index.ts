/**
 * podwalk as a library: a snapshot in, a walked packet out. Everything here is synchronous and runs in a browser: no
 * files, no network, no clock.
 *
 *     const { cluster, diagnostics } = load([{ name: 'snapshot.yaml', bytes }])
 *     const built = build(cluster)
 *     const probe = question(built, { from: 'pod/client', to: 'http://my-nginx' })
 *     if (probe.ok) console.log(render(trace(built, probe.value)))
 */

/** A cluster after what kubectl would be told: `delete pod/client`, `apply -f after.yaml` with the files at hand. */
export { type Changed, type ChangeOptions, changeByWords as change } from './cluster/change/change-cluster.ts'
export { type Difference, differencesOf as differences } from './cluster/change/differences.ts'
/** What a snapshot holds, what was filled in, what is missing and what is wrong. */
export { type CheckReport, check } from './cluster/check.ts'
export type { Cluster, Loaded } from './cluster/cluster.ts'
export type { Lab } from './cluster/lab.ts'
export { labSchema } from './cluster/lab-schema.ts'
/** A snapshot's texts to the Cluster that its API server and controllers would hold. Never throws. */
export { type LoadOptions, load } from './cluster/load.ts'
export type { Assumption, Diagnostic, SourceLocation } from './cluster/source.ts'
/** One walk, or one for each way that its random choices can fall. */
export { type AskOptions as TraceOptions, ask as trace, askAll as traceAll } from './engine/ask.ts'
/** One question before and after changes of the cluster, in one world: conntrack, affinity and sockets stay. */
export { type AcrossOptions, type Phase, traceAcross } from './engine/ask-across.ts'
/** A cluster made ready to be walked; nodes are compiled when a packet reaches them. */
export { type BuildOptions, type Built, build } from './engine/build.ts'
export type { Conversation } from './engine/conversation.ts'
export type { Probe } from './engine/probe.ts'
export { type Question, readQuestion as question } from './engine/question.ts'
export type { Step } from './engine/step.ts'
export type { Disposition, DispositionKind, Hop, Trace } from './engine/trace.ts'
export { captureOf, capturePoints } from './render/capture.ts'
export { renderCheck } from './render/check-text.ts'
export { renderConversationJson as renderJson } from './render/conversation-json.ts'
export { renderConversation as render } from './render/conversation-text.ts'
export { renderPcapng } from './render/pcapng.ts'
export { renderPhases as renderAcross } from './render/phases-text.ts'
/** What a node or pod holds, in its tools' own text. */
export { type ShownNoun, type ShowOptions, show } from './render/show.ts'
export type { TextOptions } from './render/text-options.ts'
export { traceSchema } from './render/trace-schema.ts'
