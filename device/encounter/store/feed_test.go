package store

import "testing"

func TestCursorsChangeTogether(t *testing.T) {
	s := open(t, t.TempDir(), newGCM(t, 'k'))
	defer s.Close()
	if err := s.SetCursors(map[string][]byte{"feed/a": []byte("1"), "feed/b": []byte("2"), "feee": []byte("x")}, line(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.SetCursors(map[string][]byte{"feed/a": nil, "feed/c": []byte("3"), "feed/none": nil}); err != nil {
		t.Fatal(err)
	}
	all, err := s.Cursors("feed/")
	if err != nil || len(all) != 2 || string(all["feed/b"]) != "2" || string(all["feed/c"]) != "3" {
		t.Errorf("%q, %v", all, err)
	}
}
