import { mount } from 'svelte';
import '../../src/app.css';
import App from './App.svelte';
import './central.css';
import { declare } from './texts.ts';

declare(document.documentElement);
const target = document.getElementById('app');
if (target) mount(App, { target });
