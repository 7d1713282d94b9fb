package audit

// Event says of one action what it tells and where it comes from.
type Event struct {
	Action Action
	Tells  string // what happened; Object, Encounter and facts where the line has them
	Kind   Kind
}

// Kind is what sort of thing an action is.
type Kind string

// Kinds.
const (
	KindPost     Kind = "post"     // the daemon begins or ends
	KindKey      Kind = "key"      // keys open, shut or are made
	KindChange   Kind = "change"   // what decides has changed: folder, accounts, lists
	KindSignIn   Kind = "sign-in"  // who is there, and who is not let in
	KindSearch   Kind = "search"   // somebody was searched, or not
	KindDecision Kind = "decision" // what an officer found or decided
	KindData     Kind = "data"     // what is kept, sent or removed
	KindAccess   Kind = "access"   // who looked at what
	KindAudit    Kind = "audit"    // the log's own witnesses
)

// Events is the table of all actions. A test holds it complete, another goes
// through the product's operations and looks for them.
func Events() []Event {
	return []Event{
		{PostStarted, "the daemon has opened its stores; fact version", KindPost},
		{PostStopped, "the daemon ends in order", KindPost},
		{KeysUnlocked, "the vault was opened", KindKey},
		{KeysLocked, "the vault was locked; fact why", KindKey},
		{UnlockRefused, "the vault was not opened; facts code, by, at; noted while locked, written when it opens", KindKey},
		{KeyMade, "a key was made; Object names it", KindKey},
		{Provisioned, "a folder signed by two was taken in; Object is its name", KindChange},
		{AccountsChanged, "another edition of the accounts is in force; fact edition", KindChange},
		{ListChanged, "another generation of list Object is in force; fact generation", KindChange},
		{ListWithdrawn, "list Object is no longer held", KindChange},
		{CommandTaken, "a signed command from a distance was taken; Object is the record or list; facts command, number, order", KindChange},
		{CommandRefused, "a signed command was not obeyed; facts command, number, order, code", KindChange},
		{SignedIn, "an officer has signed in; fact by: password or passkey", KindSignIn},
		{SignInFailed, "somebody was not let in; fact code; the id that was typed is not written down", KindSignIn},
		{OfficerShut, "too many wrong passwords for account Object", KindSignIn},
		{SignedOut, "an officer has signed out", KindSignIn},
		{PasskeyAdded, "an officer has registered a passkey", KindSignIn},
		{PasskeyUsed, "a passkey was used", KindSignIn},
		{PasskeyRemoved, "a passkey was removed", KindSignIn},
		{EncounterOpened, "an officer began an encounter; Purpose", KindSearch},
		{EncounterResumed, "an encounter was taken up after a restart", KindSearch},
		{SearchLimited, "an officer wanted to search more than policy allows; Purpose", KindSearch},
		{Inspected, "a document was read and judged; facts count results and name failed checks", KindSearch},
		{StepSkipped, "a step was left out; fact step", KindSearch},
		{ChallengeDrawn, "a challenge against presentation attacks was shown, whether it is judged or broken off; facts kind, draw, try", KindSearch},
		{PresentationJudged, "a challenge against presentation attacks was judged; facts kind, result, reason, try", KindSearch},
		{Searched, "the lists were asked; Purpose, facts answer, candidates, lists", KindSearch},
		{SearchSuppressed, "a modality was withheld; fact: why", KindSearch},
		{CandidateFound, "record Object (LIST/RECORD) may be the person", KindSearch},
		{LateHit, "the same, after the answer", KindSearch},
		{CandidateAdjudicate, "an officer's finding on record Object; facts finding, second", KindDecision},
		{OutcomeRecorded, "the outcome; facts outcome, answer, override, second", KindDecision},
		{OutcomeDelivered, "central has signed for the outcome; facts receipt, committed_ms", KindData},
		{EncounterRemoved, "the time of keeping has run out, and its key is destroyed", KindData},
		{EncounterViewed, "somebody looked at an encounter that is another's or closed", KindAccess},
		{EvidenceListed, "somebody looked of which encounters evidence is kept", KindAccess},
		{EvidenceOpened, "somebody looked at the evidence of an encounter; Purpose, fact part", KindAccess},
		{EvidenceShredded, "the time of keeping evidence has run out, and its key is destroyed", KindData},
		{PhotographShown, "an officer was shown the photograph that the list holds of record Object", KindAccess},
		{AuditRead, "somebody read the audit log or its heads; fact from", KindAccess},
		{ReportRead, "somebody read the report of searches; facts from, to", KindAccess},
		{HeadLate, "witness Object has not taken a head in time; fact code", KindAudit},
		{HeadRefused, "witness Object says that the log was changed; fact code", KindAudit},
		{LinesCut, "lines whose time of keeping has run out were cut; facts lines (of the first, all told), before", KindData},
		{WitnessLost, "a witness holds less than it took; fact code", KindAudit},
	}
}
