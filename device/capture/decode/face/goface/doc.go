// Package goface is the face engine as github.com/Kagami/go-face comes, kept
// to be compared with: HOG detector only, one view, JPEG in, and neither a
// score nor an upright answer to grey pictures. It is compiled with
// -march=native by its own directive and shares dlib's template code with
// package dlib, of which the linker keeps one copy: hence the build tag, and
// nothing built with it ships.
package goface
