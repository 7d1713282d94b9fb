package feeds

import (
	"context"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/officer"
)

// check is the updater's listfeed.Check: a target that its reader refuses comes
// never into force, so that no signed mistake stops a post.
func (f *Feed) check(ctx context.Context, p target.Path, dir string) error {
	switch p.Kind {
	case target.KindPolicy:
		_, err := f.policyIn(filepath.Join(dir, PolicyFile))
		return err
	case target.KindThresholds:
		_, err := thresholdsIn(filepath.Join(dir, ThresholdsFile))
		return err
	case target.KindAccounts:
		return f.accountsIn(filepath.Join(dir, AccountsFile))
	case target.KindTrust, target.KindAnchors, target.KindCRL, target.KindDeviation:
		next, err := f.joined(ctx, p.Kind, dir)
		if err != nil {
			return err
		}
		held, err := f.Trust(ctx)
		if fault.CodeOf(err) == "listfeed.damaged" {
			return nil // it is being fetched again
		} else if err != nil {
			return err
		}
		return trust.Undoes(held, next)
	case target.KindModels:
		if f.o.TryModels != nil {
			return f.o.TryModels(ctx, dir)
		}
	}
	return nil
}

func read(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New("provision.incomplete", "the target holds no %s", filepath.Base(path))
	}
	return raw, nil
}

func (f *Feed) policyIn(path string) (*policy.Policy, error) {
	raw, err := read(path)
	if err != nil {
		return nil, err
	}
	p, err := policy.Decode(raw)
	if err != nil {
		return nil, err
	}
	if p.Workplace != f.o.Config.Workplace {
		return nil, fault.New("post.workplace", "the policy is for a %s, the configuration says %s", p.Workplace, f.o.Config.Workplace)
	}
	return p, nil
}

func thresholdsIn(path string) (*policy.Thresholds, error) {
	raw, err := read(path)
	if err != nil {
		return nil, err
	}
	return policy.DecodeThresholds(raw)
}

func (f *Feed) accountsIn(path string) error {
	raw, err := read(path)
	if err != nil {
		return err
	}
	a, err := officer.Decode(raw)
	if err != nil {
		return err
	}
	last, err := f.o.Edition()
	if err != nil {
		return err
	}
	return a.Follows(last)
}

// Policy returns the policy at otherwise, or the feed's before it, with the
// feed's thresholds.
func (f *Feed) Policy(otherwise string) (*policy.Policy, error) {
	path, err := f.File(target.KindPolicy, PolicyFile, otherwise)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New("provision.incomplete", "the folder holds no policy")
	}
	p, err := policy.Decode(raw)
	if err != nil {
		return nil, err
	}
	path, err = f.File(target.KindThresholds, ThresholdsFile, "")
	if err != nil || path == "" {
		return p, err
	}
	t, err := thresholdsIn(path)
	if err != nil {
		return nil, err
	}
	return p.With(t)
}
