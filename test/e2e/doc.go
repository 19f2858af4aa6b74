// Package e2e tells the stories of a federation as tests, on one real federation that TestMain
// starts for the whole package (lab.DefaultOptions: three members of five nodes, with OpenKruise and
// metrics, Argosy installed).
//
// A scene of test/demo is a test here by being in demo.Scenes. A story that is no scene is a file of
// its own: get clients from federation(t), work in a namespace made by newNamespace(t), wait with
// gomega's Eventually, and undo with t.Cleanup whatever outlives the namespace - a stopped member, a
// deregistered webhook. A test that stops a part, deregisters a webhook or counts what all cause runs by
// itself, and leaves the federation as it found it; every other is parallel, and plays after those.
//
// When a test fails, logs of every component and all objects of every plane are under _artifacts/.
package e2e
