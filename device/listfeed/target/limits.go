package target

// Most plain bytes of a target, by what a post reads of its kind; what is
// larger is refused before a byte of it is fetched.
const (
	maxText       = 256 << 10 // a policy takes 4 KiB
	maxAccounts   = 4 << 20   // some 10,000 accounts
	maxTrust      = 256 << 20 // the world's master lists and CRLs take 10 MB
	maxDeviations = 16 << 20
	maxModels     = 2 << 30
)

// MaxBytes is the most that all files of a target of this kind may hold
// together, in plain bytes; 0 for kinds that have no files.
func (k Kind) MaxBytes() int64 {
	switch k {
	case KindList:
		return MaxTotal
	case KindPolicy, KindThresholds:
		return maxText
	case KindAccounts:
		return maxAccounts
	case KindTrust, KindAnchors, KindCRL:
		return maxTrust
	case KindDeviation:
		return maxDeviations
	case KindModels:
		return maxModels
	}
	return 0
}

// Bytes is how many plain bytes the manifest's files hold together.
func (m *Manifest) Bytes() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}
