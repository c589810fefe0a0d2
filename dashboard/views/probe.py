import streamlit as st

st.title("Probe")
