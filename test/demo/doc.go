// Package demo is the story `make demo` plays on a real federation, scene by scene, and the end-to-end
// test of the same: test/e2e runs every scene as a test.
//
// To add a scene, write one file with a function returning a Scene and add it to the list in
// scenes.go. A scene tells what it does with Stage.Step, and states each thing a person should see
// with Stage.Expect: what, the expected words, and a function that reads the seen ones from the
// federation. Expect waits for the two to be equal and keeps both for the table at the end; a scene
// passes when all are equal and Play returns no error. So a scene prints no verdicts of its own
// and never sleeps.
//
// Each scene works in a namespace of its own, leaves its objects for the person to look at, and may
// rely on the shape of lab.DefaultOptions: member1, member2 and member3, each with five nodes of 8
// CPUs, OpenKruise and metrics. It can be played twice on one federation: begin with
// Stage.Fresh.
package demo
