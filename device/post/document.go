package post

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/capture/card"
	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/examine"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// documents reads the document on the reader through the capture process. It
// is safe for concurrent use.
type documents struct {
	devices *capture.Client
	pulse   *pulse
	reader  string
	isKey   string // socket of who signs for this terminal, "" for nobody
	virtual bool   // emulated readers may be used
	rules   func() examine.Rules
	now     func() time.Time
	log     *slog.Logger
	took    func(time.Duration) // chip present to inspection
}

// cardWait is how long a document may take to be laid on the reader.
const cardWait = 5 * time.Second

// ReadDocument implements encounter.DocumentReader.
func (d *documents) ReadDocument(ctx context.Context, key encounter.DocumentKey, progress func(encounter.Progress)) (encounter.DocumentResult, error) {
	k, err := examine.ParseKey(key.MRZ, key.CAN, d.now())
	if err != nil {
		return encounter.DocumentResult{}, err
	}
	defer k.Wipe()
	var out encounter.DocumentResult
	err = d.pulse.during(ctx, func(ctx context.Context) (err error) {
		out, err = d.read(ctx, k, progress)
		return err
	})
	return out, err
}

func (d *documents) read(ctx context.Context, k examine.Key, progress func(encounter.Progress)) (encounter.DocumentResult, error) {
	if err := mayUse(ctx, d.devices, capture.KindSmartcard, d.reader, d.virtual); err != nil {
		return encounter.DocumentResult{}, err
	}
	chip, err := card.Open(ctx, d.devices, d.reader, cardWait)
	if err != nil {
		return encounter.DocumentResult{}, err
	}
	defer func() {
		if err := chip.Close(); err != nil {
			d.log.Debug("chip not closed", "code", string(fault.CodeOf(err)))
		}
	}()
	begun := d.now()
	signer := openISKey(d.isKey)
	defer signer.close()
	inspection, reading, err := examine.Chip(ctx, chip, k, d.rules(), examine.Options{ISKey: signer.key(), Progress: func(e emrtd.Event) {
		progress(encounter.Progress{Stage: stageName(e), Done: e.Bytes, Total: e.Total})
	}})
	if err != nil {
		return encounter.DocumentResult{}, err
	}
	d.took(d.now().Sub(begun))
	return result(inspection, reading, d.now()), nil
}

// WithoutChip implements encounter.ChipSeeker: chip.present fails, and whether
// a document of this kind should have had a chip is judged by its zone.
func (d *documents) WithoutChip(key encounter.DocumentKey, cause error) (encounter.DocumentResult, bool) {
	if !errors.Is(cause, capture.ErrCardNone) {
		return encounter.DocumentResult{}, false
	}
	k, err := examine.ParseKey(key.MRZ, key.CAN, d.now())
	if err != nil {
		return encounter.DocumentResult{}, false
	}
	defer k.Wipe()
	if k.Lines == nil {
		return encounter.DocumentResult{}, false
	}
	rules := d.rules()
	i := inspect.Judge(inspect.Input{NoChip: true, Lines: k.Lines, At: rules.At, Trust: rules.Trust, Policy: rules.Policy})
	out := result(i, &emrtd.Reading{}, d.now())
	if z, err := mrz.Parse(k.Lines, d.now()); err == nil {
		out.Name = nameOf(z, false)
	}
	return out, true
}

// stageName is what the progress of a reading is called.
func stageName(e emrtd.Event) string {
	if e.Name != "" {
		return e.Name
	}
	return string(e.Stage)
}

// result gathers what the encounter needs of a reading.
func result(i inspect.Inspection, r *emrtd.Reading, now time.Time) encounter.DocumentResult {
	out := encounter.DocumentResult{
		Inspection: i,
		Vouched:    i.Vouched(2),
		Document:   screening.DocumentProbe{Type: i.Document.Type, Issuer: i.Document.Issuer, Number: i.Document.Number},
	}
	if raw := r.Files[emrtd.GroupName(2)]; raw != nil {
		if b, err := lds.ParseDG2(raw); err == nil && len(b.Images) > 0 {
			out.Portrait = b.Images[0].Data
		}
	}
	if raw := r.Files[emrtd.GroupName(1)]; raw != nil {
		if z, err := lds.ParseDG1(raw, now); err == nil {
			out.Name = nameOf(z, i.Vouched(1))
			if i.Vouched(1) {
				out.BirthDate = z.Birth.String()
			}
		}
	}
	return out
}

// nameOf is the question's view of a zone's holder.
func nameOf(z *mrz.Zone, vouched bool) screening.NameProbe {
	n := screening.NameProbe{
		Primary: z.Surname, Secondary: z.GivenNames, Truncated: z.NamesTruncated,
		BirthDate: z.Birth.String(), Sex: string(z.Sex), Vouched: vouched,
	}
	if z.Nationality != "" {
		n.Nationalities = []string{z.Nationality}
	}
	return n
}
