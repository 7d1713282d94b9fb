package listfeed_test

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// copyTo copies what c brings to a folder.
func copyTo(t testing.TB, w *feedtest.World, c listfeed.Carrier, to string) (listfeed.Copied, error) {
	t.Helper()
	return listfeed.Copy(ctx, c, listfeed.CopyOptions{Root: w.Root, To: to, Now: func() time.Time { return w.Now }})
}

func wholeCopy(t testing.TB, w *feedtest.World, c listfeed.Carrier, to string) (fetched int64) {
	t.Helper()
	got, err := copyTo(t, w, c, to)
	w.Must(err)
	for _, one := range got.Targets {
		w.Must(one.Err)
		fetched += one.Fetched
	}
	return fetched
}

// TestStick copies a feed to a stick, from which a box without a link takes
// it; a second copy fetches what is new alone, and drops what is old.
func TestStick(t *testing.T) {
	w, d := begin(t)
	w.PublishRoot(feedtest.RootSpec(2, w.Now), "root-1", "root-2")
	w.Commit("site", w.Devices("site", siteKey, d))
	w.Commit("site", w.Files(target.Path{Owner: "site", Kind: target.KindPolicy, Name: "post-7"}, siteKey, 1, filesOf(t, "policy.yaml", []byte("of another post"))))
	stick := feedtest.Dir(t)
	from := folder(t, w.Repo.Dir())
	if n := wholeCopy(t, w, from, stick); n == 0 {
		t.Error("nothing was fetched")
	}
	if n := wholeCopy(t, w, from, stick); n != 0 {
		t.Errorf("%d bytes again", n)
	}
	w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
	wholeCopy(t, w, from, stick)
	wholeCopy(t, w, folder(t, stick), "") // as it lies there
	if r, err := d.Refresh(ctx, folder(t, stick)); err != nil || r.Err() != nil || d.Status().Lists[0].Generation != 2 || d.Status().Root != 2 {
		t.Fatalf("%+v, %v, %+v", r, err, d.Status())
	}
	// Nothing lies there that nobody names.
	named := map[string]bool{}
	w.Must(filepath.WalkDir(w.Repo.Dir(), func(path string, e fs.DirEntry, err error) error {
		named[e.Name()] = true
		return err
	}))
	objects := 0
	w.Must(filepath.WalkDir(stick, func(path string, e fs.DirEntry, err error) error {
		if path != stick && !named[e.Name()] {
			t.Errorf("%s is left", path)
		}
		if strings.Contains(path, "objects") && !e.IsDir() {
			objects++
		}
		return err
	}))
	all, err := filepath.Glob(filepath.Join(w.Repo.Dir(), "objects", "*", "*"))
	w.Must(err)
	if objects >= len(all) {
		t.Errorf("%d objects of %d: the old generation is still there", objects, len(all))
	}
}

func TestCopyGoesOn(t *testing.T) {
	copyGoesOn(t, func(size int) (cuts []int) {
		for cut := 0; cut < size; cut += max(1, size/11) {
			cuts = append(cuts, cut)
		}
		return cuts
	})
}

// TestSoakCopyAtAnyByte ends copies at each byte of a file of up to 4 KiB: the
// metadata. Of a larger one, a chunk, the bytes between two borders differ in
// nothing but their number: it ends them at each byte of the first and last
// 64, which hold nonce and tag, at those around every 4 KiB, where buffers and
// pages end, and at 300 by chance of a fixed seed.
func TestSoakCopyAtAnyByte(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: WATCHPOST_SOAK is not set: copies are cut at eleven places of each file only")
	}
	const border, block, chance = 64, 4 << 10, 300
	n := 0
	copyGoesOn(t, func(size int) (cuts []int) {
		rnd := rand.New(rand.NewPCG(1, uint64(size)))
		taken := map[int]bool{}
		for range chance {
			taken[rnd.IntN(size)] = true
		}
		for cut := range size {
			if at := cut % block; size <= block || cut < border || cut >= size-border || at <= 1 || at >= block-1 || taken[cut] {
				cuts = append(cuts, cut)
			}
		}
		n += len(cuts)
		return cuts
	})
	t.Logf("%d copies ended and gone on with", n)
}

// copyGoesOn ends a copy at places of each kind of file in turn, those that cuts
// names for its size, and has a new one go on: what came before is not fetched
// again.
func copyGoesOn(t *testing.T, cuts func(size int) []int) {
	w, _ := begin(t)
	whole := wholeCopy(t, w, folder(t, w.Repo.Dir()), feedtest.Dir(t))
	m := manifest(t, w, listPath)
	// Opened and closed by turns: the soak has thousands of them.
	at := func(dir string, do func(*carrier.Folder)) {
		f, err := carrier.OpenFolder(dir)
		w.Must(err)
		defer f.Close()
		do(f)
	}
	feed := folder(t, w.Repo.Dir())
	names := []string{target.TimestampName, target.RoleName("un", 1), target.ObjectName(m.Files[0].Chunks[0].Sum), target.ObjectName(m.Files[len(m.Files)-1].Chunks[0].Sum)}
	for _, name := range names {
		for _, cut := range cuts(len(readFile(t, file(w, name)))) {
			stick := feedtest.Dir(t)
			dead := false // from the cut on the link is gone
			c := hostile{feed, func(n string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
				if dead {
					r.Close()
					return nil, errors.New("no link")
				}
				if n != name {
					return r, nil
				}
				dead = true
				return struct {
					io.Reader
					io.Closer
				}{io.MultiReader(io.LimitReader(r, int64(cut)), errReader{}), r}, nil
			}}
			got, err := copyTo(t, w, c, stick)
			for _, one := range got.Targets {
				err = errors.Join(err, one.Err)
			}
			if err == nil {
				t.Fatalf("%s cut at %d: the copy says that it is whole", name, cut)
			}
			var before int64
			for _, one := range got.Targets {
				before += one.Fetched
			}
			if rest := wholeCopy(t, w, feed, stick); before+rest != whole {
				t.Fatalf("%s cut at %d: %d bytes and then %d, the whole is %d", name, cut, before, rest, whole)
			}
			at(stick, func(f *carrier.Folder) { wholeCopy(t, w, f, "") })
			w.Must(os.RemoveAll(stick))
		}
	}
}

// TestAttackCopy gives a copy evil feeds and evil sticks: it says so, and the
// stick stays what it was, or is refused.
func TestAttackCopy(t *testing.T) {
	for _, a := range []struct {
		name string
		code fault.Code
		do   func(t *testing.T, w *feedtest.World, stick string)
	}{
		{"an older feed than the stick's", "listfeed.rollback", func(t *testing.T, w *feedtest.World, stick string) {
			old := readFile(t, file(w, target.TimestampName))
			w.Publish()
			wholeCopy(t, w, folder(t, w.Repo.Dir()), stick)
			writeFile(t, file(w, target.TimestampName), old)
		}},
		{"an older owner's, by stolen online keys", "listfeed.rollback", func(t *testing.T, w *feedtest.World, stick string) {
			w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
			wholeCopy(t, w, folder(t, w.Repo.Dir()), stick)
			old := readFile(t, file(w, target.RoleName("un", 1)))
			vouch(t, w, func(meta object) { meta["un.json"] = metaOf(1, old) })
		}},
		{"frozen", "listfeed.expired", func(t *testing.T, w *feedtest.World, _ string) { w.Now = w.Now.Add(2 * feedtest.TimestampLife) }},
		{"another's root", "listfeed.signatures", func(t *testing.T, w *feedtest.World, _ string) {
			other := feedtest.New(t, feedtest.Dir(t))
			spec := feedtest.RootSpec(1, w.Now)
			spec.Targets = feedtest.Public("mallory", "eve")
			spec.Timestamp = feedtest.Public("mallory")[0]
			spec.Version = 2
			other.PublishRoot(spec, "root-1", "root-2")
			w.Root = readFile(t, file(other, target.RoleName("root", 2)))
		}},
		{"one signer", "listfeed.signatures", func(t *testing.T, w *feedtest.World, _ string) {
			put(t, w, "un", next(t, w, "un", func(object) {}, "anna"))
		}},
		{"a chunk of other bytes", "listfeed.hash", func(t *testing.T, w *feedtest.World, _ string) {
			p := file(w, target.ObjectName(manifest(t, w, listPath).Files[0].Chunks[0].Sum))
			raw := readFile(t, p)
			raw[len(raw)/2] ^= 1
			writeFile(t, p, raw)
		}},
		{"a chunk that goes on", "listfeed.too_large", func(t *testing.T, w *feedtest.World, _ string) {
			p := file(w, target.ObjectName(manifest(t, w, listPath).Files[0].Chunks[0].Sum))
			writeFile(t, p, append(readFile(t, p), 0))
		}},
		{"a chunk that is not there", "listfeed.absent", func(t *testing.T, w *feedtest.World, _ string) {
			w.Must(os.Remove(file(w, target.ObjectName(manifest(t, w, listPath).Files[0].Chunks[0].Sum))))
		}},
		{"a stick whose folder leads elsewhere", "listfeed.write", func(t *testing.T, w *feedtest.World, stick string) {
			w.Must(os.Symlink(t.TempDir(), filepath.Join(stick, "objects")))
		}},
		{"a stick whose metadata leads elsewhere", "listfeed.write", func(t *testing.T, w *feedtest.World, stick string) {
			w.Must(os.Symlink(t.TempDir(), filepath.Join(stick, "metadata")))
		}},
	} {
		t.Run(a.name, func(t *testing.T) {
			w, _ := begin(t)
			stick := feedtest.Dir(t)
			a.do(t, w, stick)
			got, err := copyTo(t, w, folder(t, w.Repo.Dir()), stick)
			for _, one := range got.Targets {
				err = errors.Join(err, one.Err)
			}
			wantCode(t, err, a.code)
		})
	}
	t.Run("links for what is being written", func(t *testing.T) {
		w, _ := begin(t)
		stick, outside := feedtest.Dir(t), filepath.Join(t.TempDir(), "outside")
		writeFile(t, outside, []byte("kept"))
		w.Must(os.MkdirAll(filepath.Join(stick, "metadata"), 0o700))
		for _, name := range []string{target.TimestampName, target.TimestampName + ".part", target.RoleName("un", 1) + ".part"} {
			w.Must(os.Symlink(outside, filepath.Join(stick, filepath.FromSlash(name))))
		}
		wholeCopy(t, w, folder(t, w.Repo.Dir()), stick)
		if string(readFile(t, outside)) != "kept" {
			t.Error("a link on the stick was followed")
		}
		wholeCopy(t, w, folder(t, stick), "")
	})
	t.Run("what a damaged stick holds is fetched anew", func(t *testing.T) {
		w, d := begin(t)
		stick := feedtest.Dir(t)
		wholeCopy(t, w, folder(t, w.Repo.Dir()), stick)
		p := filepath.Join(stick, filepath.FromSlash(target.ObjectName(manifest(t, w, listPath).Files[0].Chunks[0].Sum)))
		raw := readFile(t, p)
		w.Must(os.Remove(p))
		writeFile(t, p, raw[:len(raw)-1])
		writeFile(t, p+".cut", append([]byte("x"), raw[1:9]...))
		if n := wholeCopy(t, w, folder(t, w.Repo.Dir()), stick); n < int64(len(raw)) {
			t.Errorf("%d bytes were fetched", n)
		}
		if r, err := d.Refresh(ctx, folder(t, stick)); err != nil || r.Err() != nil {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
